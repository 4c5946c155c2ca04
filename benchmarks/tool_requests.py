"""Made-up tools of an agent, and requests that want one of them in other words.

A tool is an action on a thing of one domain, and named by all three, as servers of tools do; a request says
action and thing by words that do not stand in the name. What a seed draws: the domains, their tools, and
the words of the requests.
"""

from __future__ import annotations

import re
from random import Random
from typing import NamedTuple

__all__ = ["Request", "Tool", "toolbox"]


class Tool(NamedTuple):
    """A tool as an agent is given it."""

    name: str
    description: str


class Request(NamedTuple):
    """What a user says, and the name of the tool that does it."""

    text: str
    tool: str


# Verb in the name; what the description says; how users ask for it.
ACTIONS = {
    "create": (
        "Create a new {}.",
        ["please set up {} for me", "I need {} made", "could you put together {}?", "start {} for us"],
    ),
    "delete": (
        "Delete a {} permanently.",
        ["get rid of {}", "please throw away {}", "I no longer want {}", "drop {}, we don't need it"],
    ),
    "list": (
        "List every {} that matches the conditions.",
        ["which ones of {} do we have?", "show me {}, all of them", "give me an overview of {}"],
    ),
    "update": (
        "Update the fields of a {}.",
        ["something is wrong with {}, correct it", "please change {}", "{} has to be adjusted"],
    ),
    "share": (
        "Share a {} with another person.",
        ["let my colleague see {}", "pass {} on to Maria", "could Tom have a look at {}?"],
    ),
    "export": (
        "Export a {} as a file.",
        ["I want to download {}", "save {} to my disk", "give me {} so that I can open it offline"],
    ),
    "approve": (
        "Approve a {} that awaits a decision.",
        ["{} is fine by me, go ahead", "give the green light to {}", "say yes to {}"],
    ),
    "schedule": (
        "Schedule a {} for a later time.",
        ["have {} happen next Monday", "plan {} for tomorrow morning", "{} should take place at nine"],
    ),
}

# Things of a domain: what a description says that each is, and how users call it.
DOMAINS: dict[str, dict[str, tuple[str, list[str]]]] = {
    "calendar": {
        "calendar_event": (
            "An entry in the calendar with title, start, end and participants.",
            ["the lunch with Bob on Friday", "the get-together with Anna", "the team's weekly call"],
        ),
        "availability": (
            "The times at which a person is neither busy nor away.",
            ["my free hours", "my spare time this week", "the gaps in my day"],
        ),
        "reminder": (
            "A message to oneself at a set time, once or repeated.",
            ["a nudge so I don't forget the milk", "the alert for mum's birthday"],
        ),
        "meeting_room": (
            "A room of the office with its equipment and number of seats.",
            ["the boardroom on the second floor", "the big conference space"],
        ),
    },
    "email": {
        "email_message": (
            "A message with recipients, subject and body in the inbox, the drafts or the outbox.",
            ["the note to our landlord", "the note that I wrote to the supplier", "a letter to Bob"],
        ),
        "mailbox_rule": (
            "A condition on incoming mail, and the folder or label that such mail gets.",
            ["the filter that moves newsletters", "the automatic sorting of incoming letters"],
        ),
        "signature": (
            "The text that is put under every outgoing mail.",
            ["the lines with my name and phone below each letter", "my name and title below each letter"],
        ),
        "attachment": (
            "A document or image that is sent with a mail.",
            ["the file that came along with his letter", "the PDF he sent"],
        ),
    },
    "weather": {
        "weather_forecast": (
            "The expected weather of the next days at a place: temperature, precipitation, wind.",
            ["the outlook on rain and sun", "the temperatures for the weekend", "the temperatures in Oslo"],
        ),
        "storm_warning": (
            "An official warning of severe weather in a region.",
            ["hurricane danger", "the notice about strong winds", "risk of lightning tonight"],
        ),
        "air_quality_report": (
            "Measured pollutants in the air of a city, with an index of health.",
            ["smog in Delhi", "the smog numbers for London", "pollen and fine dust here"],
        ),
        "tide_table": (
            "The times and heights of the tides on a coast.",
            ["low and high water at the beach", "high water at the harbour", "ebb and flow at the beach"],
        ),
    },
    "banking": {
        "money_transfer": (
            "An amount that goes from one account to another, with a reference.",
            ["the 50 euros for Jim", "the payment to my sister", "the cash for my cousin abroad"],
        ),
        "standing_order": (
            "An order to the bank to pay the same amount at regular intervals.",
            ["the monthly payment of the rent", "my regular payment to the gym"],
        ),
        "bank_statement": (
            "The balance of an account with all its transactions in a period.",
            ["the movements of May on my account", "the movements on my account"],
        ),
        "credit_card": (
            "A payment card with its limit, its expiry date and whether it is blocked.",
            ["my Visa", "the plastic I pay with", "the lost Mastercard"],
        ),
    },
    "travel": {
        "flight_booking": (
            "A booking with an airline: passengers, route, date and seats.",
            ["plane tickets to Lisbon", "our trip by air", "a plane seat to New York"],
        ),
        "hotel_reservation": (
            "A stay at a hotel: guests, nights, kind of room and board.",
            ["our accommodation in Rome", "our double room", "three nights with breakfast"],
        ),
        "rental_car": (
            "A car rented from a company for some days, with pick-up and return.",
            ["a vehicle to drive around the island", "the hired van", "our wheels for the week"],
        ),
        "travel_visa": (
            "The authorisation of a traveller to enter a foreign country.",
            ["papers to enter India", "permission to visit China", "the entry stamp for Brazil"],
        ),
    },
    "human_resources": {
        "vacation_request": (
            "The request of an employee for paid leave between two dates.",
            ["two weeks off in August", "my holidays", "a few days away from work"],
        ),
        "job_posting": (
            "The advertisement of a vacancy with its requirements, to find candidates.",
            ["the advert for an accountant", "our search for a new cook", "an open position"],
        ),
        "payslip": (
            "The monthly account of an employee's gross and net pay, with deductions.",
            ["my salary paper for March", "the salary paper", "my wages for last month"],
        ),
        "employee_record": (
            "The data that an employer keeps of a staff member: address, contract, position.",
            ["the file on our new colleague", "Peter's personal data at the company"],
        ),
    },
    "code_hosting": {
        "pull_request": (
            "Commits of a branch that are proposed for review and merging.",
            ["my changes on the branch for others to look at", "the proposed patch"],
        ),
        "repository": (
            "A versioned store of source code with branches and commits.",
            ["the home of our app's source files", "the project with its git history"],
        ),
        "bug_ticket": (
            "A reported error of the software, with steps to reproduce it and its severity.",
            ["the defect in the login page", "the crash that users complain of"],
        ),
        "deployment": (
            "A version of the software that is installed in an environment for its users.",
            ["the rollout of version 2", "the go-live of the service", "the release to our servers"],
        ),
    },
    "cooking": {
        "recipe": (
            "Ingredients and steps of cooking for a dish.",
            ["the instructions for lasagne", "instructions for a curry", "a dish with leeks and cream"],
        ),
        "shopping_list": (
            "Food and household items to be bought, with amounts.",
            [
                "the things we need from the supermarket",
                "the things missing in our fridge",
                "groceries to get",
            ],
        ),
        "meal_plan": (
            "The meals of each day in a week.",
            ["our dinners from Monday to Friday", "dinners for the week", "menus for the children"],
        ),
        "nutrition_label": (
            "Energy, protein, fat and carbohydrates in a portion of food.",
            ["calories in a banana bread", "the calories and sugar of this cake"],
        ),
    },
    "music": {
        "playlist": (
            "A sequence of songs that are played one after another.",
            ["a mix of songs for running", "my favourite tracks in one place", "tunes for the party"],
        ),
        "concert_ticket": (
            "The admission to a live performance of a band or orchestra.",
            ["entry to the Coldplay gig", "seats for the symphony", "places at the festival"],
        ),
        "song_lyrics": (
            "The text that is sung in a song.",
            ["the words of Yesterday", "the words of the chorus"],
        ),
        "podcast_episode": (
            "One recorded show of a podcast, with its length and topics.",
            ["the talk show about history", "that interview I wanted to hear"],
        ),
    },
    "real_estate": {
        "apartment_listing": (
            "The offer of an apartment with its size, rent and location.",
            ["a flat to rent in Berlin", "our place on the market", "two rooms with balcony"],
        ),
        "house_viewing": (
            "A date on which those who are interested may visit a house.",
            ["our walk through the villa with the agent", "a tour of the cottage"],
        ),
        "mortgage_offer": (
            "The conditions of a bank for financing real estate: interest, term, rate.",
            ["the loan for our home", "the loan for our new house", "the bank's loan for our home"],
        ),
        "lease_contract": (
            "The contract between owner and tenant of a home.",
            ["the paper from my landlord", "the terms for the people who live in our flat"],
        ),
    },
    "healthcare": {
        "doctor_appointment": (
            "The date on which a patient visits a doctor's practice.",
            ["my slot with the physician", "a check-up at the clinic"],
        ),
        "prescription": (
            "The order of a doctor to a pharmacy for a drug, with its dose.",
            ["more of my blood pressure pills", "the medicine I take", "a refill of antibiotics"],
        ),
        "lab_result": (
            "Values that a laboratory measured in a sample of a patient.",
            ["the findings of my blood test", "my cholesterol values", "outcome of the swab"],
        ),
        "vaccination_record": (
            "The vaccines that a person was given, with dates.",
            ["my jabs", "my measles immunisation", "my flu shots"],
        ),
    },
    "logistics": {
        "parcel_shipment": (
            "A parcel with sender, receiver, weight and tracking number.",
            ["the box to Madrid", "a package for my aunt", "the goods that leave today"],
        ),
        "customs_declaration": (
            "The declaration of goods that cross a border, with their value and tariff.",
            ["the form for duty at the border", "papers for import"],
        ),
        "warehouse_stock": (
            "The quantity of each article in a warehouse.",
            ["the pallets that we hold", "the goods in storage", "the inventory in Leipzig"],
        ),
        "delivery_route": (
            "The stops of a delivery vehicle in their order.",
            ["the tour of our driver", "the van's tour through town"],
        ),
    },
    "education": {
        "course_enrolment": (
            "The registration of a student for a course.",
            ["my place in the statistics class", "my place in the Spanish lessons"],
        ),
        "exam_grade": (
            "The result of a student in an examination.",
            ["my marks in the finals", "the mark for my essay", "points in the chemistry test"],
        ),
        "homework_assignment": (
            "Work that a teacher sets for a class, with the day on which it is due.",
            ["the exercises for Friday", "the exercises for my students"],
        ),
        "library_loan": (
            "Books that a reader has on loan from a library, with the date of return.",
            ["the novel I borrowed", "the textbooks I took out", "the novels I borrowed"],
        ),
    },
    "smart_home": {
        "lighting_scene": (
            "Brightness and colours of the lights in a room, stored under a name.",
            ["dim lamps in the living room", "the bulbs for a film night"],
        ),
        "thermostat": (
            "The controller of a room's heating, with its target temperature.",
            ["the heating at 20 degrees", "a warmer bedroom", "the warmth in the flat"],
        ),
        "door_lock": (
            "An electronic lock at a door, with those who may open it.",
            ["the bolt at the garden gate", "the key for the cleaner", "the bolt at the entrance"],
        ),
        "security_camera": (
            "A camera that watches the premises and records movement.",
            ["the video from the garage", "video of the front yard"],
        ),
    },
    "legal": {
        "contract_draft": (
            "The draft of a contract with its clauses and parties.",
            ["an agreement with our vendor", "the wording of the deal", "terms for the partner"],
        ),
        "trademark_filing": (
            "The application for a trademark at the office, with its classes.",
            ["the protection of our brand name", "the claim on our logo", "the registration of our slogan"],
        ),
        "court_deadline": (
            "The date until which a party must act in a legal case.",
            ["the judge's last day for our answer", "the last day to appeal"],
        ),
        "privacy_consent": (
            "The consent of a person to the processing of personal data.",
            ["a customer's permission to use his data", "the GDPR permission"],
        ),
    },
    "marketing": {
        "newsletter_campaign": (
            "A newsletter that is sent to a list of recipients, with its open rate.",
            ["the monthly mailing to subscribers", "the promotion by mail in spring"],
        ),
        "social_media_post": (
            "A post with text and images on a social network.",
            ["a tweet on our launch", "the picture story for Instagram", "the update on LinkedIn"],
        ),
        "discount_code": (
            "A code that lowers the price of an order in the shop.",
            ["a voucher for ten percent off", "the coupon for new clients"],
        ),
        "customer_survey": (
            "Questions that customers are asked, with their answers.",
            ["the poll among our buyers", "a poll among our users"],
        ),
    },
    "fitness": {
        "workout_plan": (
            "Exercises with sets and repetitions for each day of training.",
            ["exercises for stronger arms", "my training for the marathon", "a gym programme"],
        ),
        "step_count": (
            "The number of steps that a person took in a day.",
            ["my walking distance of today", "my daily walking goal", "the figure on my pedometer"],
        ),
        "sleep_log": (
            "Duration and quality of a person's sleep in each night.",
            ["my nights of the last week", "my nights in the last week", "my hours in bed"],
        ),
        "body_weight": (
            "The weight of a person over time.",
            ["my kilos", "the figure on my scales", "my pounds since January"],
        ),
    },
    "gaming": {
        "game_lobby": (
            "A virtual room in which players gather before a game begins.",
            ["a place where my friends can join the match", "the waiting area for players"],
        ),
        "leaderboard": (
            "The list of players by their scores.",
            ["the list of those with most points", "the ranking of the best players", "high scores"],
        ),
        "achievement_badge": (
            "An award for what a player has accomplished in a game.",
            ["the trophy for 100 wins", "my medal for the boss fight"],
        ),
        "save_slot": (
            "A saved state of a game from which it can be continued.",
            ["my progress in the adventure", "my progress in the dungeon", "the stored level"],
        ),
    },
    "energy": {
        "electricity_tariff": (
            "The price of electricity by time of day, with the base fee.",
            ["the price of a kilowatt-hour", "a cheaper price for power", "my price for power at night"],
        ),
        "solar_panel": (
            "A panel that turns sunlight into electricity, with its output.",
            ["the photovoltaics on our roof", "the photovoltaic modules"],
        ),
        "charging_station": (
            "A station at which electric cars are charged, with its connectors.",
            ["the plug for my Tesla", "the wallbox in the garage"],
        ),
        "meter_reading": (
            "The consumption of electricity, gas or water that a meter shows.",
            ["the number on the counter in the cellar", "the number on the gas counter"],
        ),
    },
    "insurance": {
        "insurance_claim": (
            "The claim of a customer for compensation of a loss.",
            ["the damage after the hail", "the money for my stolen bike"],
        ),
        "insurance_policy": (
            "What an insurer covers for a customer, up to which sum.",
            ["my cover for the house", "my cover against burglary and fire"],
        ),
        "premium_quote": (
            "The premium that an insurer would ask for a risk.",
            ["a price for being covered", "a price for protecting my car"],
        ),
        "accident_report": (
            "The circumstances of an accident, with those involved and witnesses.",
            ["the story of the crash", "the description of the collision"],
        ),
    },
    "photography": {
        "photo_album": (
            "A collection of photos under a title.",
            ["pictures of our wedding", "the shots from Iceland", "snapshots of the baby"],
        ),
        "image_filter": (
            "An effect that changes colours and contrast of an image.",
            ["the sepia look", "the black and white look for portraits", "the vintage effect"],
        ),
        "camera_preset": (
            "Aperture, shutter speed and sensitivity of a camera, stored under a name.",
            ["my settings for night shots", "exposure and ISO that I always use"],
        ),
        "slideshow": (
            "Photos that are displayed in sequence, with music and transitions.",
            ["the show of our pictures on the TV", "a show of the holiday shots"],
        ),
    },
    "gardening": {
        "watering_timer": (
            "The times at which an irrigation valve opens.",
            ["the evening drink for the tomatoes", "the sprinkler"],
        ),
        "plant_profile": (
            "Needs of a plant: light, water, temperature and fertiliser.",
            ["the care tips for my orchid", "facts on basil", "the facts on my cactus"],
        ),
        "soil_analysis": (
            "Acidity and nutrients that were measured in a sample of soil.",
            ["the acid values of our ground", "the pH and minerals of my beds"],
        ),
        "harvest_log": (
            "Amounts of fruit and vegetables harvested, with dates.",
            ["the kilos of apples we picked", "the yield of our potatoes"],
        ),
    },
    "project_management": {
        "task_card": (
            "A task of a project with its assignee, status and due date.",
            ["the to-do about the new homepage", "Lena's to-do", "an item on my board"],
        ),
        "sprint": (
            "A period of fixed length in which a team completes planned work.",
            ["the two weeks of our next iteration", "the developers' current iteration"],
        ),
        "time_sheet": (
            "The working hours of a person by day and project.",
            ["my hours for the client", "the team's hours of last week"],
        ),
        "gantt_chart": (
            "The schedule of a project with tasks and their dependencies.",
            ["the timeline with all milestones", "the timeline with bars"],
        ),
    },
    "public_transport": {
        "train_ticket": (
            "A ticket for a train, with class and reservation.",
            ["the ride by rail to Vienna", "my fare for the express", "a seat in the express to Munich"],
        ),
        "bus_timetable": (
            "The times at which the buses of a line depart from each stop.",
            ["the departures of line 12", "departures at the stop by the school"],
        ),
        "season_pass": (
            "A ticket for any number of rides in a period.",
            ["my monthly card for the metro", "my yearly card for the tram"],
        ),
        "delay_alert": (
            "A notification that a train or bus is not on time.",
            ["the notice when the 7:15 is late", "the message that my line is held up"],
        ),
    },
}

_WORD = re.compile(r"[a-z]{4,}")


def toolbox(
    seed: int, *, n_tools: int = 200, n_domains: int = 20, n_requests: int = 300
) -> tuple[list[Tool], list[Request]]:
    """Draw tools, as many of each domain, and requests for them that share no word of four letters."""
    random = Random(seed)
    tools: list[tuple[Tool, str, list[str]]] = []
    for domain in random.sample(sorted(DOMAINS), n_domains):
        pairs = [(action, thing) for action in ACTIONS for thing in DOMAINS[domain]]
        for action, thing in random.sample(pairs, n_tools // n_domains):
            words = thing.replace("_", " ")
            meaning, names = DOMAINS[domain][thing]
            description = f"{ACTIONS[action][0].format(words)} {meaning}"
            tools.append((Tool(f"{domain}_{action}_{thing}", description), action, names))
    random.shuffle(tools)
    requests = []
    for number in range(n_requests):
        tool, action, names = tools[number % len(tools)]
        texts = [form.format(name) for form in ACTIONS[action][1] for name in names]
        own = {*_WORD.findall(tool.name)}
        other = [text for text in texts if not own & {*_WORD.findall(text.lower())}]
        requests.append(Request(random.choice(other), tool.name))
    return [tool for tool, _, _ in tools], requests
